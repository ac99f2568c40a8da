"""What the suite costs over a bare shell script that runs the same commands and asks the same: side by side, in pairs.

`bare.sh` is the script; `python -m tools.overhead` measures.
"""
