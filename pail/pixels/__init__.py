"""Tools on pixels that know no technique."""
