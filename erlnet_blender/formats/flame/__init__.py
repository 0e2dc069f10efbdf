"""FLAME's own files and those of its companions, read without running anything that is in them (numpy only).

`read.read_flame` is the way in. FLAME is handed out as Python pickles, and a pickle is a program: it may call
whatever Python can import. Here a small machine of our own (`pickle_machine`) follows that program, but every name
that it asks for is looked up in a table of our own constructors (`records.KNOWN`), which only build arrays and plain
containers; a name that is not in the table ends the reading. `budget` bounds memory, steps and time.
"""
