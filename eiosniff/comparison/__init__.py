"""Where two conversations part: which ones are compared, what each did step by step, and which difference matters.

`recorder` hears what is decoded and keeps the first events of each session. `choice` takes the conversation that went
best, and the one that fails. `steps`, with `requests` and `course`, tells what each did, as steps with facts;
`alignment` puts them side by side, and `weighing` finds the first difference that matters, by `knowledge/compare.toml`
and by what the rules found.
"""
