"""Evaluation: generate with lm-evaluation-harness, grade, and say how sure the result is."""
