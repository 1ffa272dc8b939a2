"""Configuration of Sphinx.

Nothing is fetched from a network while it builds, unless INTERSPHINX is set, as it is
on Read the Docs (.readthedocs.yaml): names of other packages are links then.
"""

import os
import subprocess
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.util.nodes import make_refnode

HERE = Path(__file__).parent

project = "skdatamodels"
author = "The skdatamodels developers"
copyright = f"2026, {author}"
release = version = installed_version("skdatamodels")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",  # for CONTRIBUTING.md and CHANGELOG.md, which are included
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext"}
exclude_patterns = ["_build", "generated/upcoming.md", "whats_new"]
templates_path = ["_templates"]
# `X` in a docstring is a name in code, not a link.
default_role = "literal"
# The two included files start below the title that the including page gives them.
suppress_warnings = ["myst.header"]

autosummary_generate = True
numpydoc_show_class_members = False  # doc/_templates/autosummary/class.rst lists them
# A site that does not answer would be a warning, and so an error of `make docs`.
intersphinx_mapping = {
    name: (url, None)
    for name, url in {
        "python": "https://docs.python.org/3",
        "numpy": "https://numpy.org/doc/stable",
        "scipy": "https://docs.scipy.org/doc/scipy",
        "sklearn": "https://scikit-learn.org/stable",
        "joblib": "https://joblib.readthedocs.io/en/stable",
        "matplotlib": "https://matplotlib.org/stable",
        "pandas": "https://pandas.pydata.org/docs",
    }.items()
    if os.environ.get("INTERSPHINX")
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",  # scripts such as the demo
    "doc_module": "skdatamodels",
    "backreferences_dir": "generated/backreferences",
    "parallel": True,  # as many examples at a time as `sphinx-build -j` says
    "reference_url": {"skdatamodels": None},
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skdatamodels {release}"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skdatamodels"},
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages with no page below them need no list of these.
CHILDLESS = "getting_started", "which_tool", "what_is_a_datamodel", "glossary"
CHILDLESS += "troubleshooting", "whats_new", "contributing"
html_sidebars = {page: [] for page in CHILDLESS}


def write_upcoming_changes(app):
    """Collect the fragments of the next changelog, for whats_new.rst to include."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft"]
    command += ["--version", "Unreleased", "--dir", str(HERE.parent)]
    draft = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (HERE / "generated").mkdir(exist_ok=True)
    (HERE / "generated" / "upcoming.md").write_text(draft, encoding="utf-8")


def skip_what_scikit_learn_adds(app, what, name, obj, skip, options):
    """Leave out what scikit-learn puts on each estimator; its docs explain that."""
    home = getattr(obj, "__module__", None) or ""
    return True if home.split(".")[0] == "sklearn" else None


def link_short_names(app, env, node, contnode):
    """Link ``skdatamodels.Name`` and ``Name`` to the subpackage that documents it."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or target.removeprefix("skdatamodels.").count("."):
        return None
    ending = "." + target.split(".")[-1]
    homes = [
        (name, entry.docname)
        for name, entry in env.domains.python_domain.objects.items()
        if name.endswith(ending) and not entry.aliased
    ]
    if len(homes) != 1:
        return None
    name, page = homes[0]
    return make_refnode(app.builder, node["refdoc"], page, name, contnode)


def setup(app):
    app.connect("missing-reference", link_short_names)
    app.connect("builder-inited", write_upcoming_changes)
    app.connect("autodoc-skip-member", skip_what_scikit_learn_adds)
