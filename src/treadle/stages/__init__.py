"""The stations of the loop; each has pure rules beside effects through ports, and none imports another."""
