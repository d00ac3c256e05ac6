"""The full-screen view of a capture that runs: what is drawn, and what keys do. Nothing here knows a terminal.

- `keys`: bytes that a terminal sends become keys.
- `state`: what the user looks at (pane, selection, filter, opened pages); a key makes another state of it.
- `picture`: a `LiveView` in words, made when they are asked for.
- `layout`: draws a picture in a state as lines for a screen of some size; `panes` are the parts of its main view,
  `pages` what is opened from there, `session_words` the words for a session.
"""
