"""The recurrent network that forecasts.

In: a resolved config. Out: a Keras model (`build`) that maps the past of windows to forecasts in
the units of the data (`predict`). The recurrent stack in `cells` is shared with `language`.
"""
