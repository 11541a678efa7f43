"""Collect: a teacher is asked for plans and solutions; no reply is paid for twice."""
