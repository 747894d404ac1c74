"""The browser page: Mesa's SolaraViz with live pictures of a collective.

settings    what the command line hands to the page
library     the scenarios that a page may open, by name, and no others
sliders     the fields of a scenario that a slider moves
stage       the economies of one page as a Mesa model: step, reset, stop
loops       a play button's loop that outlives its model does not step the next one
worker      one epoch at a time in a thread, for platforms that train
track       what has happened so far, as arrays that grow
replay      a finished run as a Mesa model that moves along its epochs
again       who the members of a finished run were, by making it again
words       what happens now, in a line of words
painter     the thread that draws, for one session
session     what one browser session has open
share       the current settings as a file and as a URL, and back
app         the page itself (``solara run alphacrit.page.app``)
serve       how ``alphacrit view`` starts it
"""
