"""Find detectors for a model, an SAE and labelled tasks: no feature is chosen by hand.

run.py is all of it, from data files to detectors, in this order:

- traces.py: labelled traces of a running service as tasks
- outcomes.py: answer every prompt plainly and with every annotation. What turns wrong into right?
- scoring.py: the features of every prompt, in the columns that rules are chosen from
- halves.py: all that is known of the items, and the rows that a rule learns from or is held against
- candidates.py: for every annotation the best rule; of these, what the budget of harm allows
  - search.py: the search for one rule, and the same search on shuffled outcomes
  - selection.py, conflicts.py: which few features predict repair, as a sum or all together?
  - calibration.py: where is the threshold, on data that selection did not see?
- trial.py: try to break a rule
  - falsification.py, paraphrase.py, ordinary.py: by injected words, in neutral prompts; reworded
  - cause.py: by taking its features out of the residual stream, or putting them in
- readings.py: what does a feature seem to stand for?
- writing.py, files.py: the lens, detectors and their measurements on disk
- cases.py: what do the detectors fire on in the cases written by hand?
"""
