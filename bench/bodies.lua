-- One large body, made once: `wrk ... -s bodies.lua URL -- PATTERN TIMES`.
-- Sent from where echo.lua lies, whose figures these are too.
dofile("echo.lua")
wrk.headers["Content-Type"] = "application/octet-stream"

function init(arguments)
  wrk.body = string.rep(arguments[1], tonumber(arguments[2]))
end
