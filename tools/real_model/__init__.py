"""`python -m tools.real_model`: a real chat model for the suite, made of pieces that PyPI holds."""
