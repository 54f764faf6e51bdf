"""Backbones as files, pooling and heads: everything with weights."""
