"""What is known of IPython's magics."""

from __future__ import annotations

from kfnb.notebook.flow.interpreter.tables.library_tables import words

# Line magics that execute the rest of the line as Python, and those that do so in a function.
RUN_MAGICS = frozenset(
    ("time", "prun", "memit", "lprun", "mprun", "snakeviz", "pyinstrument", "scalene")
)
TIMED_MAGICS = frozenset(("timeit",))
# Magics that neither read nor bind what flows between steps.
QUIET_MAGICS = words(
    """
    matplotlib config load_ext reload_ext unload_ext autoreload aimport pip conda mamba
    micromamba uv pdb xmode colors gui who whos who_ls pwd cd ls ll la dirs pushd popd env
    set_env history hist precision debug tb logstart logstop logon logoff logstate lsmagic
    magic quickref page alias unalias alias_magic bookmark system sx sc mkdir rmdir rm mv cp
    cat less more man ldir lf lk lx connect_info notebook qtconsole killbgscripts doctest_mode
    automagic autoawait tensorboard watermark dotenv nbdev_export colors pprint kfnb pipeline
    step writefile file html HTML javascript js latex markdown svg SVG bash sh zsh script perl
    ruby python python2 python3 pypy cmd powershell mermaid dot graphviz
    """
)
ASKS_MAGICS = frozenset(("pinfo", "pinfo2", "pdoc", "pdef", "psource", "pfile", "psearch", "pycat"))
