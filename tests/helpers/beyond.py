"""The techniques beyond the eleven: their functions with the defaults of their methods."""

import functools
import inspect

from pail.beyond import methods


def with_defaults(name):
    """The function of a technique, with its method's defaults for what is not given."""
    function = getattr(methods, name)
    own = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    shown = inspect.signature(getattr(methods.Beyond, name)).parameters
    return functools.partial(function, **{key: shown[key].default for key in own})
