"""What several algorithms share: data, losses, layers, networks. Imports nothing from ganlib or
evaluation.
"""
