"""Defects that an inspector can name, drawn from their geometry: the family "defects"."""
