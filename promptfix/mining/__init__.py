"""Find detectors for a model, an SAE and labelled tasks: no feature is chosen by hand.

- outcomes.py: answer every prompt plainly and with every annotation. What turns wrong into right?
- selection.py: which few features predict that?
- calibration.py: where is the threshold, on data that selection did not see, and what harm is left?
- traces.py: labelled traces of a running service as tasks
- readings.py: what does a feature seem to stand for?
- run.py: all of it, from data files to detectors
- writing.py: the files: the lens, detectors and their measurements
- cases.py: what do the detectors fire on in the cases written by hand?
"""
