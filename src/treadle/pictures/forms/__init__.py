"""The nine forms, a file each: `draw(chart, canvas, height)` draws, and returns the height used."""
