"""Measure, score, agree, sign and prove: the SLA oracles."""
