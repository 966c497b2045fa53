"""What people are told of a reduction: its cost before it runs, how far it is, how it ended.

=============  =========================================================================
``amounts``    bytes and seconds in words
``pace``       how far, how fast, how long still
``progress``   where that is shown: a terminal, a notebook, lines of a log
``notebook``   the bar in a notebook
``card``       what a notebook shows above a result: its cost, and what one has to know
=============  =========================================================================
"""
