-- Many small tables that die young, and some that live: what a collector and its allocator do all day.
local function tree(depth)
  if depth == 0 then return {} end
  return {tree(depth - 1), tree(depth - 1)}
end

local function count(node)
  if not node[1] then return 1 end
  return 1 + count(node[1]) + count(node[2])
end

local depth = tonumber(arg and arg[1]) or 14
local long = tree(depth)
for d = 4, depth, 2 do
  local rounds, sum = 1 << (depth - d + 4), 0
  for _ = 1, rounds do sum = sum + count(tree(d)) end
  print(rounds, d, sum)
end
print(count(long))
