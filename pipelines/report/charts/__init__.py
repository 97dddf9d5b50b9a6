"""Charts as inline SVG, drawn by hand: no script and no font is needed, and colours follow the page's scheme."""
