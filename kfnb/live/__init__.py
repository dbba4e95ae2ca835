"""What a page that shows pipelines and runs is sent, whatever carries it: a widget or a server.

Nothing here knows ipywidgets or IPython.
"""
