"""Measuring plans and answers: metrics, intervals, and questions answered end to end."""
