"""The JSON documents that processes exchange.

These modules import neither torch nor Optuna, so that a document can be read quickly.
"""
