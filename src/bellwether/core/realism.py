"""What a simulated account is held to, by name."""

REALISM = (
    *("next_open", "commission", "spread", "slippage", "impact", "participation"),
    *("borrow", "borrow_availability", "dividends", "splits", "cash_interest"),
    *("margin_interest", "delisting", "halts", "lots"),
)
"""What a simulated account is held to; each can be switched off by name, and reports say so."""
