# A small client in Elixir for release 0.4.1 (JSON), as docs/porting.md describes it: it trains (LoRA),
# saves, loads and samples. Only Tinker.HTTP and Tinker.JSON know the transport and `:jiffy`.

defmodule Tinker.Error do
  @moduledoc "An error of a call: `type` is its kind, `status` the status code, if there is one."
  defexception [:type, :message, :status]

  def new(type, message, status \\ nil),
    do: %__MODULE__{type: type, message: message, status: status}
end

defmodule Tinker.JSON do
  @moduledoc "JSON, with the NaN and Infinity that some servers write in metrics."
  # Erlang has no float for them: they are the atoms :nan, :infinity and :neg_infinity.
  @special ~r/(?<=[:\[,\s])(-?Infinity|NaN)(?=\s*[,\]}])/
  @atoms %{"NaN" => :nan, "Infinity" => :infinity, "-Infinity" => :neg_infinity}

  def encode(term), do: IO.iodata_to_binary(:jiffy.encode(term, [:use_nil]))

  @doc "`{:ok, term}`, or `:error` if the text is not JSON."
  def decode(text) do
    {:ok, :jiffy.decode(text, [:return_maps, :use_nil])}
  catch
    _, _ -> decode_special(text)
  end

  defp decode_special(text) do
    marked = Regex.replace(@special, text, "\"\\u0000\\1\"")

    if marked == text,
      do: :error,
      else: {:ok, restore(:jiffy.decode(marked, [:return_maps, :use_nil]))}
  catch
    _, _ -> :error
  end

  defp restore(%{} = map), do: Map.new(map, fn {name, value} -> {name, restore(value)} end)
  defp restore(list) when is_list(list), do: Enum.map(list, &restore/1)
  defp restore(<<0, name::binary>>), do: Map.fetch!(@atoms, name)
  defp restore(value), do: value
end

defmodule Tinker.HTTP do
  @moduledoc """
  One attempt of one request: `{:ok, status, headers, body}` or `{:error, reason}`.

  `headers` is a map with lower-case names, `body` a term, or text that is not JSON. Redirects are
  not followed, because they would receive the key. Nothing is retried here; `:httpc` would repeat a
  503 with Retry-After by itself. Each request has its own connection: a pool is left to Finch.
  """
  @connect_timeout 5000

  def post(config, path, body, headers, timeout) do
    content = Tinker.JSON.encode(body)
    exchange(config, "POST", path, [{"content-type", "application/json"} | headers], content, timeout)
  end

  def get(config, path, timeout), do: exchange(config, "GET", path, [], "", timeout)

  defp exchange(config, method, path, headers, content, timeout) do
    uri = URI.parse("#{config.base_url}/api/v1/#{path}")
    until = Tinker.now() + timeout

    with {:ok, socket} <- connect(uri),
         :ok <- transmit(socket, request(config, method, uri, headers, content)),
         {:ok, status, received} <- head(socket, nil, %{}, until),
         {:ok, text} <- body(socket, received, until) do
      close(socket)
      {:ok, status, received, read(text)}
    end
  end

  defp request(config, method, uri, headers, content) do
    all = [
      {"host", uri.authority},
      {"x-api-key", config.api_key},
      {"accept", "application/json"},
      {"connection", "close"},
      {"content-length", byte_size(content)} | headers
    ]

    lines = for {name, value} <- all, do: "#{name}: #{value}\r\n"
    ["#{method} #{uri.path} HTTP/1.1\r\n", lines, "\r\n", content]
  end

  defp connect(%URI{scheme: "https"} = uri) do
    trust = [
      verify: :verify_peer,
      cacerts: :public_key.cacerts_get(),
      server_name_indication: to_charlist(uri.host)
    ]

    names = [customize_hostname_check: [match_fun: :public_key.pkix_verify_hostname_match_fun(:https)]]
    opened(:ssl, :ssl.connect(to_charlist(uri.host), uri.port, options() ++ trust ++ names, @connect_timeout))
  end

  defp connect(uri) do
    opened(:gen_tcp, :gen_tcp.connect(to_charlist(uri.host), uri.port, options(), @connect_timeout))
  end

  # Erlang parses the head of the response.
  defp options, do: [:binary, active: false, packet: :http_bin, nodelay: true]
  defp opened(module, {:ok, socket}), do: {:ok, {module, socket}}
  defp opened(_, error), do: error

  defp transmit({module, socket}, data), do: module.send(socket, data)
  defp close({module, socket}), do: module.close(socket)
  defp fetch({module, socket}, count, until), do: module.recv(socket, count, left(until))
  defp left(until), do: max(0, round((until - Tinker.now()) * 1000))
  defp packet({:gen_tcp, socket}, kind), do: :inet.setopts(socket, packet: kind)
  defp packet({:ssl, socket}, kind), do: :ssl.setopts(socket, packet: kind)

  defp head(socket, status, headers, until) do
    case fetch(socket, 0, until) do
      {:ok, {:http_response, _, status, _}} ->
        head(socket, status, headers, until)

      {:ok, {:http_header, _, name, _, value}} ->
        head(socket, status, Map.put(headers, lower(name), value), until)

      {:ok, :http_eoh} ->
        {:ok, status, headers}

      {:ok, other} ->
        {:error, other}

      error ->
        error
    end
  end

  defp lower(name), do: name |> to_string() |> String.downcase()

  defp body(socket, %{"content-length" => length}, until) do
    packet(socket, :raw)
    if length == "0", do: {:ok, ""}, else: fetch(socket, String.to_integer(length), until)
  end

  defp body(socket, %{"transfer-encoding" => "chunked"}, until), do: chunks(socket, [], until)
  defp body(_, _, _), do: {:ok, ""}

  defp chunks(socket, parts, until) do
    packet(socket, :line)

    with {:ok, line} <- fetch(socket, 0, until),
         {size, _} when size > 0 <- Integer.parse(line, 16),
         :ok <- packet(socket, :raw),
         {:ok, part} <- fetch(socket, size + 2, until) do
      chunks(socket, [parts, binary_part(part, 0, size)], until)
    else
      {0, _} -> {:ok, IO.iodata_to_binary(parts)}
      :error -> {:error, :invalid_chunk}
      error -> error
    end
  end

  defp read(""), do: nil

  defp read(text) do
    case Tinker.JSON.decode(text) do
      {:ok, term} -> term
      :error -> text
    end
  end
end

defmodule Tinker.Rules do
  @moduledoc "Pure decisions, to be completed with the vectors of ports/conformance/vectors."
  @window 300.0
  @final_5xx [501, 505, 511]
  @proxy_statuses [502, 503, 504, 520, 521, 522, 523, 524]

  @doc "`{:retry, delay, shared?}` or `:stop`, as in retry.json. `failure` has status, headers, category."
  def decide(failure, attempt, elapsed, jitter) do
    server_delay = retry_after(failure.headers)
    window = if failure.status == 402, do: 3600.0, else: @window
    shared = failure.status in [402, 429]

    cond do
      not retryable?(failure) or elapsed >= window -> :stop
      server_delay > window - elapsed -> :stop
      server_delay > 0 -> {:retry, server_delay, shared}
      failure.status == 402 -> {:retry, 5.0, shared}
      true -> {:retry, backoff(attempt, jitter), shared}
    end
  end

  defp retryable?(%{headers: %{"x-should-retry" => "true"}}), do: true
  defp retryable?(%{headers: %{"x-should-retry" => "false"}}), do: false
  defp retryable?(%{category: "user"}), do: false
  # No response, or a success that is not JSON.
  defp retryable?(%{status: status}) when status == nil or status in 200..299, do: true
  defp retryable?(%{status: status}) when status in [402, 408, 409, 429], do: true
  defp retryable?(%{status: status}), do: status >= 500 and status not in @final_5xx

  @doc "Exponential backoff with full jitter; `jitter` is in [0, 1)."
  def backoff(attempt, jitter, base \\ 0.5, cap \\ 10.0) do
    jitter * min(cap, base * :math.pow(2, min(attempt - 1, 62)))
  end

  @doc "Seconds, 0 if absent; a port also reads dates (retry_after.json)."
  def retry_after(headers) do
    case {number(headers["retry-after-ms"]), number(headers["retry-after"])} do
      {nil, nil} -> 0.0
      {nil, seconds} -> seconds
      {milliseconds, _} -> milliseconds / 1000
    end
  end

  defp number(nil), do: nil

  defp number(text) do
    case Regex.match?(~r/^\d+(\.\d*)?$/, text) && Float.parse(text) do
      {value, _} -> value
      false -> nil
    end
  end

  @doc "Whether the next request takes the number of this one (seq_ids.json)."
  def reusable?(status), do: status != nil and status >= 300 and status not in @proxy_statuses

  @doc "The outcome of a poll (polling.json)."
  def classify(status, %{"type" => "try_again"} = body) when status in 200..299, do: waiting(body)

  def classify(status, %{"error" => error}) when status in 200..299 and error != nil,
    do: {:failed, error}

  def classify(status, %{} = body) when status in 200..299, do: {:ready, body}
  def classify(status, nil) when status in [202, 204], do: waiting(%{})
  def classify(status, _) when status in 200..299, do: :malformed
  def classify(408, body), do: waiting(if is_map(body), do: body, else: %{})
  def classify(410, _), do: :gone
  def classify(status, _) when status in [402, 429] or status >= 500, do: :retry
  def classify(400, body) when body in [nil, ""], do: :malformed
  def classify(status, body) when status in [400, 409, 422], do: {:failed, words(body)}
  def classify(status, body), do: {:refused, status, words(body)}

  defp waiting(body), do: {:try_again, body["queue_state"]}

  @doc "Seconds until the next poll, at least 50 ms, unless the server held the poll for a second."
  def poll_delay(outcome, consecutive, jitter, held) do
    case outcome do
      {:try_again, _} when held >= 1.0 -> 0.0
      {:try_again, "paused" <> _} -> max(0.05, backoff(consecutive, jitter))
      {:try_again, _} -> max(0.05, backoff(consecutive, jitter, 0.1, 2.0))
      _ -> max(0.05, backoff(consecutive, jitter))
    end
  end

  @doc "The message of an error response."
  def words(%{"detail" => detail}) when is_binary(detail), do: detail
  def words(%{"error" => error}) when is_binary(error), do: error
  def words(%{} = body), do: Tinker.JSON.encode(body)
  def words(body), do: "#{body}"

  @doc "Splits data into lists of at most 128 datums and 500,000 numbers (chunking.json)."
  def split(data, max_items \\ 128, max_size \\ 500_000) do
    Enum.chunk_while(
      data,
      {[], 0, 0},
      fn datum, {items, count, total} ->
        size = size(datum)

        if count > 0 and (count == max_items or total + size > max_size),
          do: {:cont, Enum.reverse(items), {[datum], 1, size}},
          else: {:cont, {[datum | items], count + 1, total + size}}
      end,
      fn {items, _, _} -> {:cont, Enum.reverse(items), nil} end
    )
  end

  defp size(datum) do
    tensors = for {_, tensor} <- datum["loss_fn_inputs"], do: length(tensor["data"])
    chunks = for chunk <- datum["model_input"]["chunks"], do: length(chunk["tokens"])
    Enum.sum(tensors ++ chunks)
  end

  @doc "Reduces metrics by their suffix; `parts` are pairs of metrics and weight (metrics.json)."
  def reduce(parts) do
    for name <- parts |> Enum.flat_map(fn {metrics, _} -> Map.keys(metrics) end) |> Enum.uniq(),
        into: %{} do
      values = for {%{^name => value}, weight} <- parts, value != nil, do: {value, weight}
      {name, reduction(name |> String.split(":") |> List.last(), values)}
    end
  end

  defp reduction(kind, values) do
    numbers = for {value, _} <- values, do: value

    cond do
      Enum.any?(numbers, &is_atom/1) -> hd(Enum.filter(numbers, &is_atom/1))
      kind == "sum" -> Enum.sum(numbers)
      kind == "min" -> Enum.min(numbers)
      kind == "max" -> Enum.max(numbers)
      kind == "slack" -> Enum.max(numbers) - mean(values)
      true -> mean(values)
    end
  end

  defp mean(values) do
    total = Enum.sum(for {_, weight} <- values, do: weight)
    weights = if total == 0, do: for({value, _} <- values, do: {value, 1}), else: values

    Enum.sum(for {value, weight} <- weights, do: value * weight) /
      Enum.sum(for {_, w} <- weights, do: w)
  end
end

defmodule Tinker.Pauses do
  @moduledoc "Pauses shared by all processes with the same base URL and key, in an ETS table."
  def start do
    :ets.new(__MODULE__, [:named_table, :public, read_concurrency: true])
  end

  def pause(config, seconds) do
    {key, until} = {{config.base_url, config.api_key}, Tinker.now() + seconds}
    # Two writers may race; the shorter pause must not replace the longer one.
    unless :ets.insert_new(__MODULE__, {key, until}) do
      replace = [{{key, :"$1"}, [{:<, :"$1", until}], [{{{:const, key}, until}}]}]
      :ets.select_replace(__MODULE__, replace)
    end
  end

  @doc "Waits for the end of a pause. It may be extended meanwhile."
  def await(config) do
    left = :ets.lookup_element(__MODULE__, {config.base_url, config.api_key}, 2) - Tinker.now()
    if left > 0, do: Tinker.sleep(left) && await(config)
  rescue
    ArgumentError -> :ok
  end
end

defmodule Tinker.Call do
  @moduledoc "Requests with retries, and polls for results. Runs in the process of the caller."
  alias Tinker.{Error, HTTP, Pauses, Rules}
  @tolerated 3
  @window 300

  @doc "The body of the first success. All attempts have the same idempotency key."
  def post(config, operation, body, headers \\ []) do
    headers = [{"x-idempotency-key", Tinker.uuid()} | headers]
    run(config, operation, fn -> HTTP.post(config, operation, body, headers, 60) end)
  end

  def get(config, operation),
    do: run(config, operation, fn -> HTTP.get(config, operation, 60) end)

  defp run(config, operation, attempt), do: run(config, operation, attempt, 1, 0, Tinker.now())

  defp run(config, operation, attempt, count, unreadable, started) do
    Pauses.await(config)

    case attempt.() do
      {:ok, status, _, %{} = body} when status in 200..299 ->
        body

      outcome ->
        failure = failure(outcome)
        unreadable = if failure.status in 200..299, do: unreadable + 1, else: 0
        decision = Rules.decide(failure, count, Tinker.now() - started, :rand.uniform())
        with {:retry, delay, true} <- decision, do: Pauses.pause(config, delay)

        case decision do
          {:retry, delay, _} when unreadable <= @tolerated ->
            Tinker.sleep(delay)
            run(config, operation, attempt, count + 1, unreadable, started)

          _ ->
            raise error(config, operation, failure)
        end
    end
  end

  defp failure({:error, reason}),
    do: %{status: nil, headers: %{}, category: nil, words: inspect(reason)}

  defp failure({:ok, status, headers, body}) do
    category = if is_map(body), do: body["category"]
    %{status: status, headers: headers, category: category, words: Rules.words(body)}
  end

  defp error(config, operation, %{status: status, words: words}) do
    words = String.replace(words, config.api_key, "(redacted)")
    Error.new("APIError", "#{operation}: #{status || "no response"}: #{words}", status)
  end

  @doc "The result of a request: polls until it is ready."
  def result(config, request_id, operation),
    do: poll(config, request_id, operation, nil, 0, Tinker.now())

  defp poll(config, request_id, operation, last, consecutive, since) do
    Pauses.await(config)
    started = Tinker.now()
    response = HTTP.post(config, "retrieve_future", %{request_id: request_id}, [], 45)
    {outcome, delay} = outcome(response)
    kind = if is_tuple(outcome), do: elem(outcome, 0), else: outcome
    {consecutive, since} = if kind == last, do: {consecutive + 1, since}, else: {1, Tinker.now()}

    pause = max(delay, Rules.poll_delay(outcome, consecutive, :rand.uniform(), Tinker.now() - started))

    if match?({:ok, status, _, _} when status in [402, 429], response),
      do: Pauses.pause(config, pause)

    late = pause + Tinker.now() - since > @window

    case outcome do
      {:ready, body} ->
        body

      {:failed, message} ->
        raise Error.new("RequestFailedError", "#{operation}: #{message}")

      {:refused, status, message} ->
        raise Error.new("APIError", "#{operation}: #{message}", status)

      :gone ->
        raise Error.new("GoneError", "#{operation}: the result has expired", 410)

      :malformed when consecutive > @tolerated ->
        raise Error.new("MalformedError", operation)

      :retry when late ->
        raise Error.new("APIError", "#{operation}: polls have failed for #{@window} s")

      _ ->
        Tinker.sleep(pause) && poll(config, request_id, operation, kind, consecutive, since)
    end
  end

  defp outcome({:error, _}), do: {:retry, 0.0}

  defp outcome({:ok, status, headers, body}),
    do: {Rules.classify(status, body), Rules.retry_after(headers)}
end

defmodule Tinker.Future do
  @moduledoc """
  A call in progress: a process that runs it, keeps its outcome for any number of waiters, and ends
  with the process that started it. An error is raised where the future is awaited.
  """
  alias Tinker.Error

  def start(call) do
    owner = self()

    spawn(fn ->
      down = Process.monitor(owner)
      call |> outcome() |> serve(down)
    end)
  end

  def await(future) do
    ref = Process.monitor(future)
    send(future, {:await, self(), ref})

    receive do
      {^ref, {:ok, value}} -> Process.demonitor(ref, [:flush]) && value
      {^ref, {:error, error}} -> raise error
      {:DOWN, ^ref, _, _, _} -> raise Error.new("cancelled", "the call was cancelled")
    end
  end

  @doc "Ends the call with its request or poll; waiters get an error."
  def cancel(future), do: Process.exit(future, :kill)

  defp outcome(call) do
    {:ok, call.()}
  rescue
    error -> {:error, error}
  end

  defp serve(outcome, down) do
    receive do
      {:await, waiter, ref} -> send(waiter, {ref, outcome}) && serve(outcome, down)
      {:DOWN, ^down, _, _, _} -> :ok
    end
  end
end

defmodule Tinker.Session do
  @moduledoc """
  A session: created by the first call, kept alive by heartbeats, with its two counters.

  The process never waits for a heartbeat: a task sends it. While it creates the session, other calls
  wait in its mailbox, so that one session is created.
  """
  use GenServer
  alias Tinker.{Call, Error, HTTP}
  @interval 10_000
  @max_silence 120.0

  def start_link(config), do: GenServer.start_link(__MODULE__, config)

  @doc "The session's id; raises if the session or the client has ended."
  def id(session), do: ok(GenServer.call(session, :id, :infinity))
  @doc "The id and the next number of `:models` or `:samplings`."
  def next(session, counter), do: ok(GenServer.call(session, {:next, counter}, :infinity))
  def close(session), do: GenServer.call(session, :close, :infinity)

  defp ok({:ok, value}), do: value
  defp ok({:error, error}), do: raise(error)

  @impl true
  def init(config) do
    {:ok, %{config: config, id: nil, ended: nil, models: 0, samplings: 0, last: nil, beat: nil}}
  end

  @impl true
  def handle_call(:close, _, state),
    do: {:reply, :ok, %{state | ended: Error.new("ClosedError", "closed")}}

  def handle_call(_, _, %{ended: %Error{} = error} = state), do: {:reply, {:error, error}, state}

  def handle_call(request, from, %{id: nil} = state) do
    body = %{
      type: "create_session",
      tags: [],
      user_metadata: nil,
      sdk_version: "0.4.1+elixir-port"
    }

    session = Call.post(state.config, "create_session", body)
    Process.send_after(self(), :beat, @interval)

    handle_call(request, from, %{state | id: to_string(session["session_id"]), last: Tinker.now()})
  rescue
    error in Error -> {:reply, {:error, error}, state}
  end

  def handle_call(request, _, state) do
    silent = Tinker.now() - state.last

    cond do
      silent > @max_silence ->
        {:reply, {:error, Error.new("SessionLostError", "no heartbeat for #{silent} s")}, state}

      request == :id ->
        {:reply, {:ok, state.id}, state}

      true ->
        number(request, state)
    end
  end

  defp number({:next, counter}, state) do
    {:reply, {:ok, {state.id, state[counter]}}, Map.update!(state, counter, &(&1 + 1))}
  end

  @impl true
  def handle_info(:beat, %{ended: nil} = state) do
    # The next heartbeat follows ten seconds after this one, whenever its response arrives.
    Process.send_after(self(), :beat, @interval)
    body = %{type: "session_heartbeat", session_id: state.id}
    # The timeout is the interval, so that only one is in flight.
    beat = Task.async(fn -> HTTP.post(state.config, "session_heartbeat", body, [], 10) end)
    {:noreply, %{state | beat: beat.ref}}
  end

  def handle_info({ref, response}, state) when is_reference(ref) do
    Process.demonitor(ref, [:flush])

    case response do
      {:ok, 410, _, _} ->
        {:noreply, %{state | ended: Error.new("SessionLostError", "the server ended the session", 410)}}

      {:ok, status, _, _} when status in 200..299 ->
        {:noreply, %{state | last: Tinker.now()}}

      _ ->
        {:noreply, state}
    end
  end

  def handle_info(_, state), do: {:noreply, state}
end

defmodule Tinker.Training do
  @moduledoc """
  A model. The process submits one call at a time, so that its mailbox is the queue of turns; results
  are polled by futures. Messages of one process arrive in the order in which it sends them.
  """
  use GenServer
  alias Tinker.{Call, Error, Future, Rules, Session}

  def create(config, session, base_model, rank) do
    {session_id, number} = Session.next(session, :models)
    lora = %{rank: rank, train_unembed: true, train_mlp: true, train_attn: true}

    body = %{
      type: "create_model",
      session_id: session_id,
      model_seq_id: number,
      base_model: base_model,
      lora_config: lora
    }

    %{"request_id" => request_id} = Call.post(config, "create_model", body)
    %{"model_id" => model_id} = Call.result(config, to_string(request_id), "create_model")
    GenServer.start_link(__MODULE__, {config, session, to_string(model_id)})
  end

  @doc "Starts a pass over `data` and returns a future; its result has logprobs and metrics."
  def pass(model, operation, data, loss) when operation in ["forward", "forward_backward"] do
    check(data)
    chunks = Rules.split(data)
    field = if operation == "forward", do: :forward_input, else: :forward_backward_input

    bodies = for chunk <- chunks, do: %{field => %{data: chunk, loss_fn: loss, loss_fn_config: nil}}

    start(model, operation, bodies, &combine(&1, Enum.map(chunks, fn chunk -> length(chunk) end)))
  end

  def optim_step(model, rate) do
    unless is_number(rate),
      do: raise(Error.new("InvalidInputError", "learning_rate: expected a number, got #{rate}"))

    adam = %{learning_rate: rate, beta1: 0.9, beta2: 0.95, eps: 1.0e-12}
    start(model, "optim_step", [%{type: "optim_step", adam_params: adam}], fn [body] -> body end)
  end

  @doc "Starts an operation with one request, such as `save_weights`."
  def run(model, operation, fields),
    do: start(model, operation, [Map.put(fields, :type, operation)], fn [body] -> body end)

  # The submission is queued when this returns; the future waits for its results.
  defp start(model, operation, bodies, finish) do
    future =
      Future.start(fn ->
        down = Process.monitor(model)

        receive do
          {:submitted, {:ok, config, request_ids}} ->
            request_ids |> Enum.map(&Call.result(config, &1, operation)) |> finish.()

          {:submitted, {:error, error}} ->
            raise error

          {:DOWN, ^down, _, _, reason} ->
            raise Error.new("ClosedError", "#{operation}: #{inspect(reason)}")
        end
      end)

    GenServer.cast(model, {:submit, operation, bodies, future})
    future
  end

  @impl true
  def init({config, session, model_id}),
    do: {:ok, %{config: config, session: session, model_id: model_id, next: 1}}

  @impl true
  def handle_cast({:submit, operation, bodies, future}, state) do
    {outcome, state} = submit(operation, bodies, [], state)
    send(future, {:submitted, outcome})
    {:noreply, state}
  end

  defp submit(_, [], request_ids, state),
    do: {{:ok, state.config, Enum.reverse(request_ids)}, state}

  defp submit(operation, [body | rest], request_ids, state) do
    Session.id(state.session)
    numbered = Map.merge(body, %{model_id: state.model_id, seq_id: state.next})
    %{"request_id" => request_id} = Call.post(state.config, operation, numbered)

    submit(operation, rest, [to_string(request_id) | request_ids], %{state | next: state.next + 1})
  rescue
    error in Error ->
      # The server may have taken a request without a response: its number is not used again. A call
      # that the session rejects was not sent.
      unsent = error.type in ["ClosedError", "SessionLostError"]
      next = if unsent or Rules.reusable?(error.status), do: state.next, else: state.next + 1
      {{:error, error}, %{state | next: next}}
  end

  defp check(data) do
    if data == [], do: raise(Error.new("InvalidInputError", "data: the batch has no datums"))

    for {datum, index} <- Enum.with_index(data), {name, tensor} <- datum["loss_fn_inputs"] do
      expected = length(datum["loss_fn_inputs"]["target_tokens"]["data"])
      got = length(tensor["data"])
      message = "data[#{index}].loss_fn_inputs[#{name}]: expected #{expected} numbers, got #{got}"
      if got != expected, do: raise(Error.new("InvalidInputError", message))
    end
  end

  defp combine(bodies, counts) do
    for {body, count} <- Enum.zip(bodies, counts),
        length(body["loss_fn_outputs"] || []) != count do
      raise Error.new(
              "ResponseError",
              "expected #{count} outputs, got #{length(body["loss_fn_outputs"] || [])}"
            )
    end

    outputs = Enum.flat_map(bodies, & &1["loss_fn_outputs"])
    parts = for body <- bodies, do: {body["metrics"] || %{}, length(body["loss_fn_outputs"])}
    %{logprobs: Enum.map(outputs, & &1["logprobs"]["data"]), metrics: Rules.reduce(parts)}
  end
end

defmodule Tinker.Sampling do
  @moduledoc "Samples from loaded weights. Calls have no order, so that no process is needed."
  alias Tinker.{Call, Error, Future, Session}
  defstruct [:config, :session, :id, :counter]
  @submissions 3

  @doc "Loads weights; `source` is `%{base_model: name}` or `%{model_path: path}`."
  def create(config, session, source) do
    {session_id, number} = Session.next(session, :samplings)

    body =
      Map.merge(source, %{
        type: "create_sampling_session",
        session_id: session_id,
        sampling_session_seq_id: number
      })

    %{"sampling_session_id" => id} = Call.post(config, "create_sampling_session", body)
    new(config, session, id)
  end

  def new(config, session, id) do
    %__MODULE__{config: config, session: session, id: to_string(id), counter: :atomics.new(1, [])}
  end

  @doc "Starts a sample and returns a future."
  def sample(sampler, prompt, params, count),
    do: Future.start(fn -> sample(sampler, prompt, params, count, 1) end)

  defp sample(sampler, prompt, params, count, submissions) do
    Session.id(sampler.session)
    # All attempts of a submission have the same number; the next submission has a new one.
    number = :atomics.add_get(sampler.counter, 1, 1) - 1

    body = %{
      type: "sample",
      sampling_session_id: sampler.id,
      seq_id: number,
      prompt: prompt,
      sampling_params: params,
      num_samples: count
    }

    header = {"x-tinker-sampling-backpressure", "1"}
    %{"request_id" => request_id} = Call.post(sampler.config, "asample", body, [header])

    try do
      sequences = Call.result(sampler.config, to_string(request_id), "asample")["sequences"] || []
      message = "expected #{count} sequences, got #{length(sequences)}"
      if length(sequences) != count, do: raise(Error.new("ResponseError", message))
      sequences
    rescue
      error in Error ->
        if error.status == 410 and submissions < @submissions,
          do: sample(sampler, prompt, params, count, submissions + 1),
          else: reraise(error, __STACKTRACE__)
    end
  end
end

defmodule Tinker do
  @moduledoc "Starts the application, and helpers of its processes."

  def start do
    {:ok, _} = Application.ensure_all_started(:ssl)
    Tinker.Pauses.start()
  end

  def now, do: System.monotonic_time(:microsecond) / 1_000_000
  def sleep(seconds), do: Process.sleep(ceil(seconds * 1000))
  def uuid, do: Base.encode16(:crypto.strong_rand_bytes(16), case: :lower)
  def model_input(tokens), do: %{"chunks" => [%{"type" => "encoded_text", "tokens" => tokens}]}
  def tensor(data, dtype), do: %{"data" => data, "dtype" => dtype, "shape" => [length(data)]}
end

