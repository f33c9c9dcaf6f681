-- A number for the graph; the figures leave as the echo's do.
dofile("echo.lua")
wrk.body = '{"x": 3}'
