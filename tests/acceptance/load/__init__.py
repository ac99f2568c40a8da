"""The same answers under load: alone, then among many neighbours; no reply of another's, no cache lost.

questions (data) -> asking (threads) -> comparing (pure) -> record, report.
"""
