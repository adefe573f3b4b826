"""Tables as one HTML page that needs nothing else: no network, no further file. Its curves are
drawn by uPlot, which lies in uplot/ as its authors published it.
"""
