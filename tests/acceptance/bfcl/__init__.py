"""Tool calls in official points: the same questions of the Berkeley Function Calling Leaderboard to every server.

`package` has questions and judgement from the package bfcl-eval, `asking` puts them, `result` says what follows.
"""
