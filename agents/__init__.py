"""The core: what a failed canary means and what to do about it.

Read the modules in the order the data flows:

* what is known: `incident`, `evidence` (the bundle), `logs`, `frames`, `changes`, `provenance` (which code ran);
* what it means: `suspects`, `reach`, `slowness` and `podstates` find, `triage` gathers, `diagnosis` names the cause;
* what to do: `strategies` and `fix` propose a change, `pinning` the way back, `verification` tries it, `policy` judges;
* what people get: `survey` and `case` hold an attempt together, `report` and `remarks` word it, `pull_request` ensures
  it, `publishing`, `rollback` and `outcome` bring the ending about, `followup` what comes after it, `audit` notes it.

`graph` strings them together, one step at a time with `trying`. Where a model is configured, `investigator` and `fixer`
ask it, with the `tools`, within the `budget`. Nothing here performs I/O, knows a vendor or reads a clock: ports come in
as arguments.
"""
