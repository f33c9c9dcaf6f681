-- Every request asks about the next digit: `wrk ... -s forest.lua URL -- FILE`, FILE has a body a line.
-- The requests are made before the run; sent from where echo.lua lies, whose figures these are too.
dofile("echo.lua")

local requests, last = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, line)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end
