"""« Argent » in Wagtail's admin: finance acts, the auditor reads, a funder sees its own promise.

No figure is ever edited here: every act is a service of another room, with its reason and its author.
"""
