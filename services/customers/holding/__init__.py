"""Who holds what: changes of hands, the stock, the history of ownership."""
