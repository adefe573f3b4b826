"""What translations start from: a file a kind of source, which `--source` and help find by itself.

The first paragraph of such a file's docstring says how the source is written, and after a colon
what it is; several ways of writing lie between commas, and FOLDER stands for a path. make(text) is
the Source that a text of this kind asks for. UserError says what is wrong with it.
"""
