"""Find detectors for a model, an SAE and labelled tasks: no feature is chosen by hand.

    outcomes.py    answer every prompt plainly and with every annotation: what turns wrong into right?
    selection.py   which few features predict that?
    calibration.py where is the threshold, on data that selection did not see, and how much harm is left?
    run.py         all of it, from data files to detector files
"""
