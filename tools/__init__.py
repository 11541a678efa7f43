"""Exact tools for solvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .calculator import CalculatorError, calculate, format_number

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

__all__ = ["CalculatorError", "calculate", "calculator_tool", "format_number"]


def calculator_tool() -> BaseTool:
    """The calculator as a LangChain tool, for a solver that is an agent.

    Example:
        >>> calculator_tool().invoke({"expression": "15% * 1,200"})
        '180'
    """
    from langchain_core.tools import StructuredTool

    def calculator(expression: str) -> str:
        """Calculate an arithmetic expression: + - * / ^ ( ) and % for per cent.

        Nothing is rounded but the result, beyond six decimals.
        """
        try:
            return format_number(calculate(expression))
        except CalculatorError as error:
            return f"can't calculate: {error}"

    function: Any = calculator
    return StructuredTool.from_function(function)
