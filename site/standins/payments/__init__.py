"""A payment provider for demonstrations and tests: a process of its own, no real money, no network.

One bank, three doors: a simple one of its own (`/v1`), a subset of Stripe's (`/stripe`) and of
HelloAsso's (`/helloasso`). It shares no code with the adapters it is there to try, and forgets
nothing when restarted. docs/payments.md tells how to drive it and how to make it misbehave.
"""
