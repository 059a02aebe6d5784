# Stands in for the parts of Tesla that the generated code uses. It sends with httpc of Erlang.
defmodule Tesla.Env do
  @type client :: term()
  @type result :: term()
  @type t :: %__MODULE__{}
  defstruct [:status, :body, headers: []]
end

defmodule Tesla.Client do
  @type t :: term()
  @type middleware :: term()
end

defmodule Tesla.Multipart do
  def new, do: raise("no operation sends a form")
  def add_field(_form, _name, _value, _options \\ []), do: raise("no operation sends a form")
  def add_file(_form, _path, _options), do: raise("no operation sends a form")
end

defmodule Tesla do
  @type option :: term()

  def client(middleware, _adapter \\ nil), do: middleware

  def request(client, options) do
    base = middleware(client, Tesla.Middleware.BaseUrl)
    headers = middleware(client, Tesla.Middleware.Headers) ++ Keyword.get(options, :headers, [])
    [engine: engine] = middleware(client, Tesla.Middleware.EncodeJson)
    url = String.to_charlist(base <> options[:url])
    headers = for {name, value} <- headers, do: {to_charlist(name), to_charlist(value)}

    request =
      case options[:body] do
        nil -> {url, headers}
        body -> {url, headers, 'application/json', engine.encode!(body)}
      end

    case :httpc.request(options[:method], request, [], body_format: :binary) do
      {:ok, {{_version, status, _phrase}, headers, body}} ->
        {:ok, %Tesla.Env{status: status, headers: headers, body: body}}

      {:error, reason} ->
        {:error, reason}
    end
  end

  defp middleware(client, name) do
    Enum.find_value(client, [], fn {module, value} -> module == name && value end)
  end
end
