-- One request for a stream, sent over and over: `wrk ... -s streams.lua URL -- BODY`.
-- Sent from where echo.lua lies, whose figures these are too; a request is done when its stream is.
dofile("echo.lua")

function init(arguments)
  wrk.body = arguments[1]
end
