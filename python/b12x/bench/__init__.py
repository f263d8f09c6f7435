"""`b12x bench`: times on a GPU, counters on the simulator, and plots of either.

cases: what is measured, the sets of shapes, their text forms · inputs: the data of a case, and the call · timing: how
times of a GPU are taken · floor: the kernel that only reads · timed: rows of a GPU · worker, counted: rows of the
simulator, in a process of its own · record: rows with device, driver, date, commit and command as one JSON file ·
table: a record as text · plot: a record as SVG or PNG

Times and counters never meet in one record. The modules that a GPU needs import PyTorch alone.
"""
