"""The documentation site; `make docs` builds it with docs/build.py."""

import importlib.util
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]  # the pages describe the library in this checkout

import pail  # noqa: E402

project = "PAI-Lib"
author = "The PAI-Lib developers"
copyright = "the PAI-Lib developers, MIT license"
version = release = pail.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_nb",  # Markdown, and notebooks as pages
    "sphinx_gallery.gen_gallery",
    "site_pages",
]
root_doc = "index"
exclude_patterns = [
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
    "**/GALLERY_HEADER.rst",
    "auto_examples/*.ipynb",
]
nitpicky = True
toc_object_entries_show_parents = "hide"
default_role = "py:obj"  # single backticks of the docstrings: a link where there is something to link to

# GitHub's Markdown, with its anchors for headings, and `:::` for what it does not have.
myst_enable_extensions = ["colon_fence", "html_image"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # docs/notebooks.py runs them and stores their outputs
nb_merge_streams = True

# Docstrings. PyTorch and albumentations are large; if they are not installed, their classes are mocked.
autodoc_mock_imports = [
    name for name in ("torch", "torchvision", "albumentations") if importlib.util.find_spec(name) is None
]
autodoc_typehints = "none"  # types are in the numpydoc sections
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "ndarray": "numpy.ndarray",
    "array_like": "numpy.ndarray",
    "bool": ":class:`python:bool`",
    "str": ":class:`python:str`",
    "float": ":class:`python:float`",
    "int": ":class:`python:int`",
    "callable": ":func:`python:callable`",
    "iterable": ":class:`iterable <python:collections.abc.Iterable>`",
    "sequence": ":class:`sequence <python:collections.abc.Sequence>`",
    "path": ":class:`path <python:pathlib.Path>`",
    "PIL.Image.Image": ":class:`PIL.Image.Image`",
    "numpy.random.SeedSequence": ":class:`numpy.random.SeedSequence`",
    "numpy.random.Generator": ":class:`numpy.random.Generator`",
    "NormalImage": "pail.NormalImage",
    "Sampler": "pail.Sampler",
    "PseudoAnomaly": "pail.PseudoAnomaly",
}

# Other projects' names are looked up in inventories/, short plain-text lists of those that docstrings use. Fetched ones
# would make a build without a network warn, and so fail.
intersphinx_mapping = {
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.txt"),
    "python": ("https://docs.python.org/3/", "inventories/python.txt"),
    "pillow": ("https://pillow.readthedocs.io/en/stable/", "inventories/pillow.txt"),
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",
    "ignore_pattern": r"(^|[\\/])(?!plot_)[^\\/]*\.py$",
    "within_subsection_order": "site_pages.example_order",
    "doc_module": ("pail",),
    "reference_url": {"pail": None},
    "min_reported_time": 1e9,  # times are in docs/performance.md
    "show_signature": False,
    "reset_modules": ("matplotlib", "site_pages.plain_figures"),
    "download_all_examples": False,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"PAI-Lib {release}"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
# One sidebar: with a second, lines of code are cut off at 1280 pixels.
html_sidebars = {
    "**": ["page-toc", "sidebar-nav-bs"],
    "index": [],
    "start": ["page-toc"],
    "changelog": [],
    "contributing": ["page-toc"],
}
html_context = {"default_mode": "auto"}  # light or dark as the reader's system
html_theme_options = {
    "logo": {"text": "PAI-Lib"},
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": [],
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
