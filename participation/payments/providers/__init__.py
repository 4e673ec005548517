"""One module per payment provider; docs/payments.md says what each can and cannot do."""
