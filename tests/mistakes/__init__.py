"""Mistakes that people have reported, each made again, with what the suite says of it."""
