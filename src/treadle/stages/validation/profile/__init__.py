"""Making profiles: a streaming builder over batches, a frame at once, and what a bounded sample adds.

builder       batches in, a profile out, in constant memory
column        one column's running state
blocks        a block of rows: which row a value came from
numbers       the state of finite numbers and instants
extremes      the outermost values with their rows, and the longest run
texts         the state of texts
sample        a bounded sample of whole rows, the same however they come
associations  what columns have to do with each other, from the sample
"""
