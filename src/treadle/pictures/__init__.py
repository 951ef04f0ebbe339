"""Pictures: records in; SVG, terminal text, HTML and Vega-Lite out. Pure: no clock, no files, no network.

    chart      what is shown: `Chart`, `Series`, `Band`, `Mark`
    svg        the chart drawn (a file per form in `forms`)
    text       the chart in a terminal
    tabular    the chart as a table and as a spoken sentence
    vega       the chart as a Vega-Lite v5 dict
    notebook   the chart by MIME type
    report     one self-contained HTML file
    numbers    how values are written, everywhere
    status     the status words with glyph and colour
    palette    colours in light and dark

Import from the module that is named; nothing is imported here, so that a terminal pays only for text.
"""
