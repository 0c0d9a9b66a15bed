"""The family "defects": defects that an inspector can name, drawn from their geometry."""
