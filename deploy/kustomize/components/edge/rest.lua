-- Adds what Envoy's transcoder lacks for REST (docs/rest.md):
--   * The transcoder drops body fields that the API does not have. Here they get a 400, at any
--     depth.
--   * It lets a query parameter override a value of the path. That gets a 400 too.
--   * Its errors are a bare google.rpc.Status or plain text. They become {"error": ...}, as in
--     AIP-193.
-- The names come from the descriptor set of the transcoder. gRPC and gRPC-Web pass unchanged.

local DESCRIPTOR_SET = "/etc/assetgate-descriptors/assetgate.pb"
local MAX_DEPTH = 64
local MAX_VIOLATIONS = 10

-- HTTP status of an error of Envoy's own -> name of the gRPC code.
local STATUS_OF_HTTP = {
  [400] = "INVALID_ARGUMENT", [401] = "UNAUTHENTICATED", [403] = "PERMISSION_DENIED",
  [404] = "NOT_FOUND", [408] = "DEADLINE_EXCEEDED", [413] = "INVALID_ARGUMENT",
  [429] = "RESOURCE_EXHAUSTED", [500] = "INTERNAL", [503] = "UNAVAILABLE",
  [504] = "DEADLINE_EXCEEDED",
}
-- google.rpc.Code, from 1.
local STATUS_OF_CODE = {
  "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
  "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

-- The descriptor set ---------------------------------------------------------------------------

local function varint(data, at)
  local value, scale = 0, 1
  while true do
    local byte = data:byte(at)
    value = value + byte % 128 * scale
    at = at + 1
    if byte < 128 then return value, at end
    scale = scale * 128
  end
end

-- Decodes a message into {[field number] = {values}}: numbers, and bytes as strings.
local function decode(data)
  local fields = setmetatable({}, {__index = function() return {} end})
  local at = 1
  while at <= #data do
    local tag, value
    tag, at = varint(data, at)
    local number, wire = math.floor(tag / 8), tag % 8
    if wire == 0 then
      value, at = varint(data, at)
    elseif wire == 2 then
      local length
      length, at = varint(data, at)
      value = data:sub(at, at + length - 1)
      at = at + length
    else
      local length = wire == 1 and 8 or 4
      value = data:sub(at, at + length - 1)
      at = at + length
    end
    local values = rawget(fields, number) or {}
    values[#values + 1] = value
    rawset(fields, number, values)
  end
  return fields
end

-- Full name of a message -> {fields = {name in JSON or in .proto -> {name, type}}, is_map}; `type`
-- is the name of a message, or nil for a field without fields of its own.
local messages = {}

local function add_message(scope, data)
  local descriptor = decode(data)
  local name = scope .. "." .. descriptor[1][1]
  local message = {fields = {}, is_map = false}
  for _, field_data in ipairs(descriptor[2]) do
    local field = decode(field_data)
    local entry = {name = field[1][1], type = field[6][1]}
    -- Google's types (Struct, Duration, ...) have special forms in JSON, which the transcoder
    -- checks.
    if entry.type and entry.type:find("^%.google%.protobuf%.") then entry.type = nil end
    message.fields[entry.name] = entry
    message.fields[field[10][1]] = entry
  end
  for _, options in ipairs(descriptor[7]) do message.is_map = decode(options)[7][1] == 1 end
  messages[name] = message
  for _, nested in ipairs(descriptor[3]) do add_message(name, nested) end
end

-- HTTP method -> {pattern of the path, names that the path sets, input, body field or "*" or nil}.
local calls = {}
local VERBS = {[2] = "GET", [3] = "PUT", [4] = "POST", [5] = "DELETE", [6] = "PATCH"}

local function add_rule(input, data)
  local rule = decode(data)
  for number, verb in pairs(VERBS) do
    local template = rule[number][1]
    if template then
      local call = {input = input, body = rule[7][1], bound = {}}
      local path = template:gsub("{([%w_.]+)=?([^}]*)}", function(name, shape)
        call.bound[name] = true
        return shape == "" and "*" or shape
      end)
      call.pattern = "^" .. path:gsub("[%-%.%+%^%$%%]", "%%%0"):gsub("%*", "[^/]+") .. "$"
      calls[verb] = calls[verb] or {}
      -- Calls with a custom verb ("…:cancel") first: an id may contain a colon, too.
      table.insert(calls[verb], path:find(":") and 1 or #calls[verb] + 1, call)
    end
  end
  for _, additional in ipairs(rule[11]) do add_rule(input, additional) end
end

local function read_descriptor_set()
  local file = assert(io.open(DESCRIPTOR_SET, "rb"))
  local data = file:read("*a")
  file:close()
  for _, file_data in ipairs(decode(data)[1]) do
    local descriptor = decode(file_data)
    local package = "." .. (descriptor[2][1] or "")
    for _, message in ipairs(descriptor[4]) do add_message(package, message) end
    for _, service in ipairs(descriptor[6]) do
      for _, method_data in ipairs(decode(service)[2]) do
        local method = decode(method_data)
        for _, options in ipairs(method[4]) do
          -- google.api.http is an extension with this number.
          for _, rule in ipairs(decode(options)[72295728]) do add_rule(method[2][1], rule) end
        end
      end
    end
  end
end
read_descriptor_set()

-- Errors ---------------------------------------------------------------------------------------

-- `text` as a JSON string. It may contain anything.
local function quoted(text)
  return '"' .. text:gsub('[%z\1-\31\127-\255]', "?"):gsub('["\\]', "\\%0") .. '"'
end

local function error_json(http, status, message, details)
  return '{"error":{"code":' .. http .. ',"status":"' .. status .. '","message":' .. quoted(message) ..
    (details or "") .. "}}"
end

-- `violations`: {field, description}.
local function refuse(handle, violations)
  local listed = {}
  for _, violation in ipairs(violations) do
    table.insert(listed, '{"field":' .. quoted(violation[1]) .. ',"description":' .. quoted(violation[2]) .. "}")
  end
  local message = violations[1][1] .. " " .. violations[1][2]
  if #violations > 1 then
    message = message .. " (and " .. #violations - 1 .. " more; see the field violations)"
  end
  local details = ',"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",' ..
    '"reason":"INVALID_FIELD","domain":"assetgate","metadata":{"act":"CALLER"}},' ..
    '{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[' ..
    table.concat(listed, ",") .. "]}]"
  handle:respond({[":status"] = "400", ["content-type"] = "application/json"},
                 error_json(400, "INVALID_ARGUMENT", message, details))
end

-- The number of characters to change, add or remove to turn `a` into `b`.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
    end
  end
  return row[#b]
end

-- The message about a name that `message` does not have.
local function unknown_field(message, word)
  word = word:sub(1, 64)
  local best, least = nil, 3
  for name in pairs(message.fields) do
    local found = distance(word, name)
    -- Of equally near names the first in the alphabet: pairs() has no order.
    if found < least or (found == least and best and name < best) then best, least = name, found end
  end
  return "is not a field of the request" .. (best and '; did you mean "' .. best .. '"?' or "")
end

-- Bodies ---------------------------------------------------------------------------------------

local QUOTE, COMMA, COLON = ('",:'):byte(1, 3)
local LEFT_BRACE, RIGHT_BRACE, LEFT_BRACKET, RIGHT_BRACKET = ("{}[]"):byte(1, 4)

local Checker = {}
Checker.__index = Checker

function Checker:fail(description)
  error({field = self.path == "" and "body" or self.path, description = description}, 0)
end

-- The position of the next token.
function Checker:skip(at)
  local byte = self.json:byte(at)
  if byte and byte > 32 then return at end
  return self.json:find("[^ \t\r\n]", at) or #self.json + 1
end

-- The text between the quotes that begin at `at`, and the position after it.
function Checker:text(at)
  local from = at + 1
  while true do
    local stop = self.json:find('["\\%z\1-\31]', from)
    local what = stop and self.json:sub(stop, stop)
    if what == '"' then return self.json:sub(at + 1, stop - 1), stop + 1 end
    if what ~= "\\" then self:fail("is not valid JSON: a string does not end") end
    from = stop + 2
  end
end

function Checker:object(at, message, depth)
  local path = self.path
  at = self:skip(at + 1)
  if self.json:byte(at) == RIGHT_BRACE then return at + 1 end
  while true do
    if self.json:byte(at) ~= QUOTE then self:fail('is not valid JSON: a field name in quotes is missing') end
    local name
    name, at = self:text(at)
    at = self:skip(at)
    if self.json:byte(at) ~= COLON then self:fail('is not valid JSON: ":" is missing') end
    local field = message and not message.is_map and message.fields[name]
    -- The values of a map have the type of its entry's field "value".
    if message and message.is_map then field = message.fields.value end
    if message then
      local shown = field and not message.is_map and field.name or name:sub(1, 64)
      self.path = path == "" and shown or path .. "." .. shown
    end
    if message and not field and #self.violations < MAX_VIOLATIONS then
      table.insert(self.violations, {self.path, unknown_field(message, name)})
    end
    at = self:skip(self:value(self:skip(at + 1), field and messages[field.type], depth + 1))
    self.path = path
    local what = self.json:byte(at)
    if what == RIGHT_BRACE then return at + 1 end
    if what ~= COMMA then self:fail('is not valid JSON: "," or "}" is missing') end
    at = self:skip(at + 1)
  end
end

function Checker:array(at, message, depth)
  local path, index = self.path, 0
  at = self:skip(at + 1)
  if self.json:byte(at) == RIGHT_BRACKET then return at + 1 end
  while true do
    if message then self.path = path .. "[" .. index .. "]" end
    at = self:skip(self:value(at, message, depth + 1))
    self.path = path
    index = index + 1
    local what = self.json:byte(at)
    if what == RIGHT_BRACKET then return at + 1 end
    if what ~= COMMA then self:fail('is not valid JSON: "," or "]" is missing') end
    at = self:skip(at + 1)
  end
end

-- Reads the value at `at`, and returns the position after it. `message` is the type of an object
-- there, or nil where anything is allowed.
function Checker:value(at, message, depth)
  if depth > MAX_DEPTH then self:fail("is nested too deeply: at most " .. MAX_DEPTH .. " levels") end
  local what = self.json:byte(at)
  if what == LEFT_BRACE then return self:object(at, message, depth) end
  if what == LEFT_BRACKET then return self:array(at, message, depth) end
  if what == QUOTE then return select(2, self:text(at)) end
  local _, stop = self.json:find("^[%w%.%+%-]+", at)
  if not stop then self:fail("is not valid JSON: a value is missing") end
  return stop + 1
end

-- The faults of a body whose fields are those of `message`.
local function check_body(call, json)
  local path, message = "", messages[call.input]
  if call.body and call.body ~= "*" then
    path, message = call.body, messages[message.fields[call.body].type]
  end
  local checker = setmetatable({json = json, path = path, violations = {}}, Checker)
  local good, fault = pcall(function()
    local at = checker:skip(checker:value(checker:skip(1), message, 1))
    if at <= #json then checker:fail("is not valid JSON: something follows its end") end
  end)
  if good then return checker.violations end
  -- A defect of this script. Without this answer, Envoy would let the request pass.
  if type(fault) ~= "table" then return {{"body", "cannot be checked: " .. tostring(fault)}} end
  return {{fault.field, fault.description}}
end

-- The faults of the names in a query. (The transcoder checks the values.)
local function check_query(call, query)
  local violations = {}
  for parameter in query:gmatch("[^&]+") do
    local word = parameter:match("^[^=]*"):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    local message, path = messages[call.input], ""
    for part in word:gmatch("[^.]+") do
      local field = message and message.fields[part]
      path = (path == "" and "" or path .. ".") .. (field and field.name or part:sub(1, 64))
      local fault
      if message and not field then
        fault = unknown_field(message, part)
      elseif call.bound[path] then
        fault = "is set by the path; leave it out of the query"
      elseif call.body == "*" or call.body == path then
        fault = "belongs in the body; leave it out of the query"
      end
      if fault then
        table.insert(violations, {path, fault})
        break
      end
      message = field and messages[field.type]
    end
    if #violations == MAX_VIOLATIONS then break end
  end
  return violations
end

-- Envoy's hooks --------------------------------------------------------------------------------

function envoy_on_request(handle)
  local headers = handle:headers()
  if (headers:get("content-type") or ""):find("^application/grpc") then return end
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  for _, call in ipairs(calls[headers:get(":method")] or {}) do
    if path:find(call.pattern) then
      local violations = check_query(call, query)
      if #violations > 0 then return refuse(handle, violations) end
      local body = handle:body()
      local length = body and body:length() or 0
      if length == 0 then return end
      if not call.body then return refuse(handle, {{"body", "is not allowed for this call; leave it out"}}) end
      violations = check_body(call, body:getBytes(0, length))
      if #violations > 0 then refuse(handle, violations) end
      return
    end
  end
  -- Nothing unchecked reaches the transcoder. CORS preflight requests have been answered before.
  local message = "the API has no call " .. headers:get(":method") .. " " .. path
  handle:respond({[":status"] = "404", ["content-type"] = "application/json"},
                 error_json(404, "NOT_FOUND", message))
end

function envoy_on_response(handle)
  local http = tonumber(handle:headers():get(":status"))
  if http < 400 then return end
  -- Also sets it where there is none yet.
  local body = handle:body(true)
  local text = body:getBytes(0, body:length())
  if text:find('^{"error":') then return end
  -- A google.rpc.Status from the transcoder, which writes the code first.
  local code, rest = text:match('^{"code":(%d+),?(.*)$')
  local status = code and STATUS_OF_CODE[tonumber(code)]
  if status then
    text = '{"error":{"code":' .. http .. ',"status":"' .. status .. '",' .. rest .. "}"
  else
    text = error_json(http, STATUS_OF_HTTP[http] or "UNKNOWN", text)
  end
  local length = body:setBytes(text)
  -- The headers from before the wait for the body are no longer valid.
  handle:headers():replace("content-type", "application/json")
  handle:headers():replace("content-length", length)
end
