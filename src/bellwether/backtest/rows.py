"""The rows of the books: their names, and the place of each."""

# Books.session, USD
SESSION = (
    *("equity_usd", "cash_usd", "long_usd", "short_usd", "traded_usd", "bought_usd"),
    *("commission", "spread", "slippage", "impact", "borrow", "margin"),
    *("interest", "dividends", "settled_usd"),
)
EQUITY, CASH, LONG, SHORT, TRADED, BOUGHT = range(6)
COMMISSION, SPREAD, SLIPPAGE, IMPACT, BORROW, MARGIN = range(6, 12)
INTEREST, DIVIDENDS, SETTLED = range(12, 15)
COSTS = SESSION[COMMISSION : MARGIN + 1]

# Books.symbol, USD; flow is the cash that the symbol brought, before costs
SYMBOL = (*COSTS[:5], "dividends", "traded_usd", "flow_usd")
OF_BORROW, OF_DIVIDENDS, OF_TRADED, OF_FLOW = range(4, 8)

# Books.counts
COUNTS = (
    *("orders", "capped", "halted", "short_refused", "cash_scaled", "cash_refused"),
    *("delisted_refused", "unpriced", "overdrawn", "stale_marks", "settlements"),
)
ORDERS, CAPPED, HALTED, SHORT_REFUSED, CASH_SCALED, CASH_REFUSED = range(6)
DELISTED_REFUSED, UNPRICED, OVERDRAWN, STALE, SETTLEMENTS = range(6, 11)

# State.status: 0, or the input that was missing where it was needed
FAULTS = ("", "open", "close", "targets", "volatility", "adv_usd")
FINE, NO_OPEN, NO_CLOSE, BAD_TARGET, NO_VOLATILITY, NO_VOLUME = range(6)

# kinds of order records
KINDS = ("order", "delisting", "ruin")
