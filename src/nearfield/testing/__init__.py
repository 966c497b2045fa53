"""For tests, yours included: fakes, and the contract suites that every driver passes.

Nothing of Nearfield imports this at run time. Needs pytest.
"""
